module ringside.dev/ringside/build/faults

go 1.26

require github.com/hanwen/go-fuse/v2 v2.12.1 // simfs: the disk whose power is cut is a FUSE file system

require go.etcd.io/bbolt v1.5.0

require golang.org/x/sys v0.45.0

replace ringside.dev/ringside => ../..
