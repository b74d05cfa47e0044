#!/bin/sh -eu
sed -i 's#startswith(#contains(#' registry.rego
