#!/bin/sh
# Checks the totals of the receipts; ends with 1 when one is wrong.
cd "$(dirname "$0")" || exit 2

failed=0
check() {
    got=$(sh total.sh "receipts/$1" 2>&1)
    if [ "$got" = "$2" ]; then
        echo "ok      $1: $got"
    else
        echo "FAILED  $1: expected $2, got $got"
        failed=$((failed + 1))
    fi
}

check lunch.txt 11.80
check books.txt 43.40
check empty.txt 0.00

echo "$failed of 3 checks failed"
[ "$failed" -eq 0 ]
