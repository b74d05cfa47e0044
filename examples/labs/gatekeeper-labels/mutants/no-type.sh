#!/bin/sh -eu
sed -i '/^          type: object$/d' template.yaml
