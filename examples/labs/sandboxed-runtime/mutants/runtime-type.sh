#!/bin/sh -eu
sed -i.bak 's/^handler: runsc/handler: io.containerd.runsc.v1/' runtimeclasses.yaml
