# Completion of reconcile for bash. Addresses have colons, at which bash would split them.
_reconcile_completion() {
  local cur="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]}") cword=$COMP_CWORD IFS=$'\n'
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : cur words cword
  fi
  mapfile -t COMPREPLY < <(
    COMP_WORDS="${words[*]}" COMP_CWORD=$cword _RECONCILE_COMPLETE=complete_bash "$1"
  )
  if declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions "$cur"
  fi
}

complete -o default -F _reconcile_completion reconcile
