package lab

// ExamSize says how many tasks an exam with these options would have, and for how
// many minutes: about as many, because chance chooses among the labs of a domain.
func ExamSize(o ExamOptions) (tasks, minutes int, err error) {
	labs, err := Catalogue()
	if err != nil {
		return 0, 0, err
	}
	if o.Minutes == 0 {
		o.Minutes = DefaultExamMinutes
	}
	o.Random = nil
	for _, lab := range choose(labs, o) {
		tasks++
		minutes += lab.Minutes
	}
	return tasks, minutes, nil
}
