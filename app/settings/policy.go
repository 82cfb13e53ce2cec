package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// Policy is what IT decided for this computer, whoever works at it and whatever a profile says. The zero Policy is that of a computer without a
// policy file.
type Policy struct {
	// DirectSources are the exchanges that a profile may name although their credentials see every call: without it they run in ringctl relay.
	DirectSources []string
}

var policyPlace = subject{"policy file", "策略文件", "docs/relay.md", "policy.yaml"}

// LoadPolicy reads a policy file; without one there is the zero Policy. It counts only where nobody but this computer's administrator can have
// written it: otherwise the error is of kind denied. A mistake in it is an error, too: what it forbids stays forbidden.
func LoadPolicy(file string) (Policy, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Policy{}, nil
	}
	if err == nil {
		err = administrators(file, info)
	}
	if err != nil {
		return Policy{}, cti.Errorf(cti.Denied, "the policy file "+file+" does not count", err)
	}
	data, p := policyPlace.read(file)
	if p != nil {
		return Policy{}, Problems{*p}
	}
	var policy Policy
	r := &reader{file: file, subject: policyPlace}
	r.all = []field{
		{key: "version", need: write("version: 1", " version: 1"), read: r.version},
		{key: "direct_sources", read: func(path string, n *yaml.Node) {
			r.list(path, n, func(path string, n *yaml.Node) {
				var name string
				r.text(&name, oneOf(inRelay...))(path, n)
				policy.DirectSources = append(policy.DirectSources, name)
			})
		}},
	}
	root := r.document(data)
	if root != nil && !r.newer(root) {
		r.section("", root, root, r.all)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, byPlace)
		return Policy{}, r.problems
	}
	return policy, nil
}

// errOthers says why a policy file does not count.
func errOthers(what string) error {
	return fmt.Errorf("%s: only this computer's administrator may be able to write it", what)
}
