#!/bin/sh -eu
{ echo ---; sed '/^---/,$d; s/namespace: payments/namespace: shop/' policies.yaml; } > shop.yaml
cat shop.yaml >> policies.yaml
