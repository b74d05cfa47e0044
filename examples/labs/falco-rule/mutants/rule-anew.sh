#!/bin/sh -eu
cat >> falco/falco_rules.local.yaml <<'RULES'
- rule: Terminal shell in container
  desc: A shell in a container.
  condition: spawned_process and in_container and shell_procs
  output: >
    shell (user=%user.name shell=%proc.name parent=%proc.pname cmdline=%proc.cmdline terminal=%proc.tty
    container_id=%container.id image=%container.image.repository namespace=%k8s.ns.name pod=%k8s.pod.name)
  priority: ERROR
RULES
