#!/bin/bash
# test.sh - runs every test, one target after the other, after `swift build --build-tests`.
#
#   Lab/test.sh [TARGET...]
#
# Integration tests start real QEMUs, iSCSI targets and namespaces and have deadlines; side by side they would measure each other's
# hunger for the processor. So one target runs at a time and its tests run in order. Goes on after a failure; exits 1 if any target failed.
set -uo pipefail
cd "$(dirname "$(realpath "$0")")/.."
SWIFT=${SWIFT:-swift}
# The quick ones first: what is wrong with a rule shows before a lab is built.
targets=(ClusterModelTests DurableFilesTests ClusterRulesTests MigrationRulesTests ValidationTests ValidationReportTests SCSITests VMDefinitionsTests ClusterStoreTests
  SimulationTests
  FormingTests QMPTests NodeIdentityTests NodeServerTests SwitchoverFramesTests SharedDisksTests CorosyncTests QEMUTests LabTests
  ValidationLabTests ClusterTests MigrationTests)
[ $# = 0 ] || targets=("$@")

# Every target of the package is in the list: a new one must not be forgotten.
if [ $# = 0 ]; then
  for folder in Tests/*Tests; do
    [[ " ${targets[*]} " == *" ${folder##*/} "* ]] || { echo "Lab/test.sh does not know ${folder##*/}; add it." >&2; exit 1; }
  done
fi

log=$(mktemp); trap 'rm -f "$log"' EXIT
passed=0 failed=0 broken=()
for target in "${targets[@]}"; do
  echo "== $target"
  began=$SECONDS
  timeout --kill-after=10 1500 "$SWIFT" test --skip-build --no-parallel --filter "^$target\." >"$log" 2>&1
  status=$?
  summary=$(grep -E 'Test run with [0-9]+ tests?' "$log" | tail -1)
  count=$(grep -oE 'with [0-9]+ test' <<<"$summary" | grep -oE '[0-9]+')
  if [ $status = 0 ] && [ "${count:-0}" -gt 0 ]; then
    passed=$((passed + count))
    echo "   $count tests passed in $((SECONDS - began)) s"
  else
    failures=$(grep -E '^✘ Test .* failed after' "$log" | grep -vc 'Test run with')
    failed=$((failed + (failures > 0 ? failures : 1)))
    passed=$((passed + (${count:-0} > failures ? ${count:-0} - failures : 0)))
    broken+=("$target")
    grep -E '✘|error:|Fatal|↳' "$log" | cut -c1-600 | head -60
    echo "   FAILED (exit code $status) after $((SECONDS - began)) s"
    [ "${count:-0}" -gt 0 ] || tail -20 "$log"
  fi
done
[ ${#broken[@]} = 0 ] || echo "Failed: ${broken[*]}"
echo "$passed passed, $failed failed"
[ ${#broken[@]} = 0 ]
