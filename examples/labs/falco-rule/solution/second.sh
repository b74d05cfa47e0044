#!/bin/sh -eu
# The older way to append, a rule written out anew, lists in lists, JSON's quotes, and
# the definitions after their use, which Falco minds between macros alone.
cat > falco/falco_rules.local.yaml <<'RULES'
- {"rule": "Program started in container", "desc": "x", "priority": "warning", "enabled": true,
   "output": "%evt.time %user.name started %proc.cmdline (%container.id of %container.image.repository)",
   "condition": "(evt.type = execve or evt.type=execveat) and evt.dir=< and watched and not (not in_container)"}
- rule: Terminal shell in container
  desc: Written out.
  condition: shell_procs and in_container and proc.tty > 0 and spawned_process
  output: |
    shell in a container user=%user.name shell=%proc.name parent=%proc.pname cmdline=%proc.cmdline
    terminal=%proc.tty container_id=%container.id image=%container.image.repository ns=%k8s.ns.name pod=%k8s.pod.name
  priority: Error
  tags: [shell]
---
- list: small
  items:
  - sh
  - "ash"
  - dash
- list: watched_programs
  items: [zsh, small, 'nc', bash]
- macro: in_container
  condition: (container.id exists and not container.id = "host")
- macro: watched
  condition: (proc.name in (watched_programs))
- rule: Read sensitive file
  append: true
  condition: and (not container.image.repository exists or container.image.repository != "registry.example.com/backup")
RULES
