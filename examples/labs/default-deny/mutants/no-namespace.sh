#!/bin/sh -eu
sed -i '/namespace: payments/d' policies.yaml
