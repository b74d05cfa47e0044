package lab

import (
	"cmp"
	"slices"
)

// choose picks labs for an exam: always the next one of the domain that has the least
// time for its weight, as long as it fits. Which lab of a domain comes first is
// chance.
func choose(labs []*Lab, o ExamOptions) []*Lab {
	waiting, spent := map[string][]*Lab{}, map[string]int{}
	var domains []Domain
	for _, d := range Domains() {
		if d.Exam != ExamCKS {
			continue
		}
		domains = append(domains, d)
		for _, lab := range labs {
			if lab.Domain == d.ID && o.Machine.meets(lab) {
				waiting[d.ID] = append(waiting[d.ID], lab)
			}
		}
		shuffle(waiting[d.ID], o)
	}
	var chosen []*Lab
	for left := o.Minutes; ; {
		domains = slices.DeleteFunc(domains, func(d Domain) bool { return len(waiting[d.ID]) == 0 })
		if len(domains) == 0 {
			return chosen
		}
		next := slices.MinFunc(domains, func(a, b Domain) int { return cmp.Compare(spent[a.ID]*b.Weight, spent[b.ID]*a.Weight) }).ID
		lab := waiting[next][0]
		waiting[next] = waiting[next][1:]
		if lab.Minutes <= left {
			chosen = append(chosen, lab)
			left, spent[next] = left-lab.Minutes, spent[next]+lab.Minutes
		}
	}
}

func shuffle(labs []*Lab, o ExamOptions) {
	if o.Random != nil {
		o.Random.Shuffle(len(labs), func(i, j int) { labs[i], labs[j] = labs[j], labs[i] })
	}
}

// weigh returns what each lab is worth in percent, 100 together: the weight of its
// domain among those that there are, shared by minutes within a domain.
func weigh(labs []*Lab) []int {
	minutes, all := map[string]int{}, 0
	for _, lab := range labs {
		if d, _ := DomainNamed(lab.Domain); minutes[lab.Domain] == 0 {
			all += d.Weight
		}
		minutes[lab.Domain] += lab.Minutes
	}
	weights, left := make([]int, len(labs)), 100
	rests := make([]float64, len(labs))
	var order []int
	for i, lab := range labs {
		d, _ := DomainNamed(lab.Domain)
		exact := 100 * float64(d.Weight*lab.Minutes) / float64(all*minutes[lab.Domain])
		weights[i] = int(exact)
		rests[i] = exact - float64(weights[i])
		left -= weights[i]
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rests[b], rests[a]) })
	for _, i := range order[:left] { // the largest remainders
		weights[i]++
	}
	return weights
}
