#!/bin/sh -eu
sed -i.bak '/^      securityContext:/d; s/^        seccompProfile:/      seccompProfile:/; s/^          type: RuntimeDefault/        type: RuntimeDefault/' checkout.yaml
