#!/bin/sh -eu
sed -i.bak 's|type: RuntimeDefault|type: runtime/default|' cart.yaml
