#!/bin/sh -eu
sed -i.bak s/160Mi/160M/ runtimeclasses.yaml
