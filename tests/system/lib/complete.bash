# complete.bash FILE WORD... - loads the completion in FILE and prints what it
# offers for the last word of a command line, one a line. The words are those that
# readline makes of it: --name=value is three, and so is a:b.
set -u
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
registered=$(complete -p "${1##*/}") || exit 1
function=${registered#*-F }
"${function%% *}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
