module suite

go 1.23

// The name that the generator gives where it is told no other.
require github.com/GIT_USER_ID/GIT_REPO_ID v0.0.0

replace github.com/GIT_USER_ID/GIT_REPO_ID => ./client
