#!/bin/sh -eu
sed -i 's#, \[name, namespace\])#)#' podnames.rego
