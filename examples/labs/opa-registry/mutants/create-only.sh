#!/bin/sh -eu
sed -i 's#{"CREATE", "UPDATE"}#{"CREATE"}#' registry.rego
