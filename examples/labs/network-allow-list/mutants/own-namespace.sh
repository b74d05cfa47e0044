#!/bin/sh -eu
sed -i 's/- namespaceSelector: {}/- podSelector: {}/' policies.yaml
