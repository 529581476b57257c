"""The work: takes data through Explore, Chart and Navigate. Knows nothing of HTTP or chat.

A run goes through `runs`, which asks `explore` for the rows of a source, `personal` for what in them is personal and
for masked rows, `contract` for the score and for rows that break a rule, `chart` for the files of a version, and
`navigate` for the models built on it. `lineage` says what came from where, `alerts` which problems people should hear
of, and `compliance` what a data protection officer must. `sql` contains what people write as SQL, `access` says who is
calling, `store` alone queries our database, and `ops` says how all of it is doing. Open `runs/course.py` first.
"""
