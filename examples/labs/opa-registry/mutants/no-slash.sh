#!/bin/sh -eu
sed -i 's#hooli.example/#hooli.example#' registry.rego
