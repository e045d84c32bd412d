# complete.zsh DIRECTORY LINE: prints what zsh offers at the end of LINE, one a line, with the
# completion functions of DIRECTORY. It asks a zsh on a terminal of its own, as no zsh without one
# completes anything.
zmodload zsh/zpty
zpty asked zsh -f -i
send() { zpty -w asked "$1" }
send "PS1=; unsetopt zle_bracketed_paste 2>/dev/null; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u"
send 'zstyle ":completion:*" list-grouped no; LISTMAX=0; stty -echo'
# compadd is what every completion ends in: it is asked for its matches, and tells them.
send 'compadd() { local -a m; builtin compadd -O m "$@"; print -rl -- "MATCH:"$^m; builtin compadd "$@" }'
send 'finish() { zle kill-whole-line; print "THE-END" }; zle -N finish; bindkey "^T" finish'
send 'print READY'
zpty -r asked line '*READY*READY*' 
zpty -w -n asked "$2"$'\t\x14'
zpty -r asked line '*THE-END*'
print -r -- "$line" | tr -d '\r' | sed -n 's/.*MATCH:\(..*\)/\1/p'
zpty -d asked
