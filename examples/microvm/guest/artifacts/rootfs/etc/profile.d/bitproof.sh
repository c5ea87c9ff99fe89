# Login shells get the variables of guest/config/vm/environment.toml too.
if [ -r /run/bitproof/environment ]; then
    . /run/bitproof/environment
fi
