//go:build peers

// Package peers names the stores that ours is measured beside, so that go.mod and go.sum hold their versions and checksums.
package peers

import _ "github.com/jaegertracing/jaeger/cmd/jaeger"
