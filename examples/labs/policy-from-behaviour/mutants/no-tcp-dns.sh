#!/bin/sh -eu
sed -i "/protocol: UDP/{n;n;N;d}" networkpolicy.yaml
