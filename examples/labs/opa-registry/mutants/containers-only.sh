#!/bin/sh -eu
sed -i 's#, "initContainers", "ephemeralContainers"##' registry.rego
