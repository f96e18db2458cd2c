// Carries the precompiled header of this folder.
