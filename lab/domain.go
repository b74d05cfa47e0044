package lab

// Domain is a part of an exam's curriculum.
type Domain struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Exam   string `json:"exam"`   // CKS or CKA
	Weight int    `json:"weight"` // percent of that exam
}

// The exams.
const (
	ExamCKS = "CKS"
	ExamCKA = "CKA"
)

// Domains lists the curricula as the CNCF publishes them: that of the CKS, with the
// weights since October 2024, and behind it that of the CKA.
func Domains() []Domain {
	return []Domain{
		{"cluster-setup", "Cluster Setup", ExamCKS, 15},
		{"cluster-hardening", "Cluster Hardening", ExamCKS, 15},
		{"system-hardening", "System Hardening", ExamCKS, 10},
		{"microservice-vulnerabilities", "Minimize Microservice Vulnerabilities", ExamCKS, 20},
		{"supply-chain", "Supply Chain Security", ExamCKS, 20},
		{"runtime-security", "Monitoring, Logging and Runtime Security", ExamCKS, 20},
		{"cluster-architecture", "Cluster Architecture, Installation and Configuration", ExamCKA, 25},
		{"workloads", "Workloads and Scheduling", ExamCKA, 15},
		{"services-networking", "Services and Networking", ExamCKA, 20},
		{"storage", "Storage", ExamCKA, 10},
		{"troubleshooting", "Troubleshooting", ExamCKA, 30},
	}
}

// DomainNamed returns the domain with that ID.
func DomainNamed(id string) (Domain, bool) {
	for _, domain := range Domains() {
		if domain.ID == id {
			return domain, true
		}
	}
	return Domain{}, false
}
