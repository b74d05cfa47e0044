#!/bin/sh -eu
sed -i.bak '/agent:3.3/q' checkout.yaml
