package lab_test

import "os"

const childEnv = "PKICTL_LAB_TEST_CHILD"

func child() { os.Exit(2) }
