"""What can go wrong below bitproof, made to happen: kills, refusals, short writes, races, full disks, planted links.

`zygote` runs commands in forks of one warmed-up Python, `commands` is its client and puts strace on them, `cases` are
the commands with what they work on, `oracle` says which states are right. `campaign` injects, `protocol` reads traces,
`damage`, `planted`, `resumed`, `limits` and `races` are the other kinds of fault; `mutants` shows that each can fail.
`channels` are what updates and publishes work on, `served` puts one behind a web server, `everything` is all of this in
several processes.
"""
