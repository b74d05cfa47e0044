#!/bin/sh -eu
# Another order, quotes, flags that stand twice and add up, a plugin that is enabled by
# default written out, underscores for dashes, and the value as a word of its own.
sed -e 's/- --enable-admission-plugins=.*/- "--enable-admission-plugins=AlwaysPullImages,PodSecurity"\n    - --enable_admission_plugins\n    - NodeRestriction/' \
  -e "s/- --disable-admission-plugins=.*/- '--disable-admission-plugins=DefaultStorageClass'/" kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
