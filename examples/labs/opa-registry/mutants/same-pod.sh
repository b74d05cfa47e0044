#!/bin/sh -eu
sed -i '/namespace != /d' podnames.rego
