#!/bin/sh -eu
sed -i '/podSelector:$/,$d' policies.yaml
