#!/bin/sh -eu
sed -i 's/port: api/port: 8080/' policies.yaml
