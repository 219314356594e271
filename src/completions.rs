//! Completion scripts for bash, zsh and fish, made from the table of subcommands.

use crate::args::Shell;
use crate::subcommands::{Opt, SUBS, Sub};
use std::fmt::Write;

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// Everything that can follow the name of a subcommand.
fn words(sub: &Sub) -> String {
    let options = sub
        .options
        .iter()
        .map(|option| format!("--{}", option.name));
    let words = sub.words.iter().map(|word| (*word).to_owned());
    let all: Vec<String> = words.chain(options).chain(["--help".to_owned()]).collect();
    all.join(" ")
}

fn names() -> Vec<&'static str> {
    SUBS.iter().map(|sub| sub.name).collect()
}

fn takes_file(option: &Opt) -> bool {
    option.value == "FILE"
}

/// Flags of options that name a file, each once.
fn file_flags() -> Vec<String> {
    let options = SUBS.iter().flat_map(|sub| sub.options.iter());
    let mut flags: Vec<String> = options
        .filter(|option| takes_file(option))
        .map(|option| format!("--{}", option.name))
        .collect();
    rackwarden_core::small::sort_by_key(&mut flags, |flag| flag.clone());
    flags.dedup();
    flags
}

fn bash() -> String {
    let mut cases = String::new();
    for sub in SUBS {
        // Writing to a String cannot fail.
        let _ = writeln!(cases, "        {}) words=\"{}\" ;;", sub.name, words(sub));
    }
    format!(
        "# bash completion for rackwarden
_rackwarden() {{
    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\" command=\"\" words word
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        case \"$word\" in
            -*) ;;
            {names}) command=\"$word\"; break ;;
        esac
    done
    case \"$previous\" in
        {files}) COMPREPLY=($(compgen -f -- \"$current\")); return ;;
    esac
    case \"$command\" in
{cases}        *) words=\"{all} --config --plugins --help --version\" ;;
    esac
    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))
    if [ \"${{#COMPREPLY[@]}}\" -eq 0 ]; then COMPREPLY=($(compgen -f -- \"$current\")); fi
}}
complete -F _rackwarden rackwarden
",
        names = names().join("|"),
        files = file_flags().join("|"),
        all = names().join(" "),
    )
}

/// Text inside of single quotes and a zsh description.
fn zsh_text(text: &str) -> String {
    text.replace('\'', "'\\''")
        .replace('[', "(")
        .replace(']', ")")
        .replace(':', "\\:")
}

fn zsh() -> String {
    let mut commands = String::new();
    let mut cases = String::new();
    for sub in SUBS {
        let _ = writeln!(commands, "        '{}:{}'", sub.name, zsh_text(sub.help));
        let _ = writeln!(cases, "        {})\n            _arguments \\", sub.name);
        for option in sub.options {
            let value = match option.value {
                "" => String::new(),
                _ if takes_file(option) => ":file:_files".to_owned(),
                value => format!(":{}:", zsh_text(value)),
            };
            let _ = writeln!(
                cases,
                "                '--{}[{}]{value}' \\",
                option.name,
                zsh_text(option.help)
            );
        }
        let positional = match sub.words {
            [] => "'*:file:_files'".to_owned(),
            words => format!("'1:argument:({})' '*:file:_files'", words.join(" ")),
        };
        let _ = writeln!(cases, "                {positional} ;;");
    }
    format!(
        "#compdef rackwarden
_rackwarden() {{
    local -a commands
    commands=(
{commands}    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{cases}    esac
}}
compdef _rackwarden rackwarden
"
    )
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn fish() -> String {
    let mut script = String::from("# fish completion for rackwarden\ncomplete -c rackwarden -f\n");
    let names = names().join(" ");
    for sub in SUBS {
        let _ = writeln!(
            script,
            "complete -c rackwarden -n 'not __fish_seen_subcommand_from {names}' -a {} -d '{}'",
            sub.name,
            fish_text(sub.help)
        );
        let seen = format!("-n '__fish_seen_subcommand_from {}'", sub.name);
        if !sub.words.is_empty() {
            let _ = writeln!(
                script,
                "complete -c rackwarden {seen} -a '{}'",
                sub.words.join(" ")
            );
        }
        for option in sub.options {
            let value = match option.value {
                "" => "",
                _ if takes_file(option) => " -r -F",
                _ => " -x",
            };
            let _ = writeln!(
                script,
                "complete -c rackwarden {seen} -l {}{value} -d '{}'",
                option.name,
                fish_text(option.help)
            );
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_subcommand_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for sub in SUBS {
                assert!(script.contains(sub.name), "{shell:?} {}", sub.name);
                for option in sub.options {
                    assert!(script.contains(option.name), "{shell:?} {}", option.name);
                }
            }
        }
    }

    #[test]
    fn bash_accepts_and_completes() {
        let script = format!(
            "{}\nCOMP_WORDS=(rackwarden pro); COMP_CWORD=1; _rackwarden; echo \"${{COMPREPLY[*]}}\"\n\
             COMP_WORDS=(rackwarden probe --js); COMP_CWORD=2; _rackwarden; echo \"${{COMPREPLY[*]}}\"",
            bash()
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .expect("bash");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "probe profiles\n--json\n"
        );
    }
}
