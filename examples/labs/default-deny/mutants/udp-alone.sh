#!/bin/sh -eu
sed -i '/protocol: TCP/,$d' policies.yaml
