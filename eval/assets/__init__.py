"""The original's asset files: which are needed, which are here, how to get them, and the stand-ins for the others.

``resolver`` decides which file is loaded: that of a pack, or the stand-in that ``stand_ins/table.py`` names. ``needed``,
``check`` and ``manifest`` compare what is here with the original, ``fetch`` gets it, ``identity`` is what hosts must agree
on before their runs are pooled. Nothing here loads a simulator.
"""
