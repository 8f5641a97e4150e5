#!/bin/sh
# What `mpirun` calls where it would call ssh: agent.sh [-OPTION…] HOST COMMAND… The host is the
# network namespace $HIDDENSTATE_HOSTS-n of the address that ends in n; it has a name of its own.
while [ "${1#-}" != "$1" ]; do shift; done
number=${1##*.}
shift
exec ip netns exec "$HIDDENSTATE_HOSTS-$number" unshare --uts \
  sh -c "hostname host-$number; exec $*"
