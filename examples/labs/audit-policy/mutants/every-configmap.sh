#!/bin/sh -eu
sed -i '/resourceNames:/d' policy.yaml
