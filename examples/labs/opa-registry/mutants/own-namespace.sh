#!/bin/sh -eu
sed -i 's/namespace != /namespace == /' podnames.rego
