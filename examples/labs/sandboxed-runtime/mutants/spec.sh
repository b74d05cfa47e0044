#!/bin/sh -eu
sed -i.bak 's/^handler: runsc/spec: {runtimeHandler: runsc}/' runtimeclasses.yaml
