# tree.sh, to be sourced: onward_tree TOP prints what git calls the working tree
# as it stands, for tools/dist.sh: HEAD, or a tree with what is not committed
# yet. Fails where there is no git checkout.
onward_tree() {
    if ! git -C "$1" -c safe.directory="$1" rev-parse -q --git-dir \
        >/dev/null 2>&1; then
        echo "skipped: $1 is no git checkout" >&2
        return 1
    fi
    onward_index=$(mktemp -u)
    GIT_INDEX_FILE=$onward_index git -C "$1" -c safe.directory="$1" \
        read-tree HEAD
    GIT_INDEX_FILE=$onward_index git -C "$1" -c safe.directory="$1" add -A
    onward_now=$(GIT_INDEX_FILE=$onward_index git -C "$1" \
        -c safe.directory="$1" write-tree)
    rm -f "$onward_index"
    if [ "$onward_now" = "$(git -C "$1" -c safe.directory="$1" \
        rev-parse 'HEAD^{tree}')" ]; then
        echo HEAD
    else
        echo "$onward_now"
    fi
}
