# Completion of jitctl for fish. What is offered says jitctl itself; nothing of it is ever run.

function __jitctl_complete
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    set -l found (jitctl __complete $words 2>/dev/null)
    if test "$found[1]" = :files
        set -l parts (string match -r -- '^(--[^=]*=|)(.*)$' (commandline -ct))
        for path in (__fish_complete_path $parts[3])
            printf '%s%s\n' "$parts[2]" $path
        end
    else
        printf '%s\n' $found
    end
end

complete -c jitctl -f -a '(__jitctl_complete)'
