#!/bin/sh -eu
sed -i '/- Egress/d; /^  egress:/,$d' networkpolicy.yaml
