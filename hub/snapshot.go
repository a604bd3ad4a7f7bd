package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// A Snapshot is a version of a model in the cache.
type Snapshot struct {
	Dir     string // its folder, with the files at the paths that they have in the model
	Commit  string
	Fetched int   // files that were not in the cache before
	Bytes   int64 // of these files
}

// A Stage chooses which files of a model to fetch. paths are those of all files,
// sorted, with slashes; dir is the folder of the snapshot, which has the files of
// the stages before.
type Stage func(dir string, paths []string) ([]string, error)

// Snapshot brings files of a model into the cache, stage by stage, so that small
// ones can be looked at before large ones are fetched.
//
// Nothing is asked for that the cache is known to have: a commit with all its
// files takes no request, a branch one, for its commit. When the hub cannot be
// reached, the last known commit of a branch has to do, and a note says so.
//
// After an error, also when ctx is done, beginnings of files stay in the cache
// and the next call continues them. Errors about what a server has sent, such as
// a hash that does not fit, are *fault.FormatError. Those of a stage are wrapped
// where it could not choose.
func (c *Client) Snapshot(ctx context.Context, src Source, stages ...Stage) (*Snapshot, error) {
	v := visit{client: c, store: c.store(src.Model), source: src}
	snapshot, err := v.run(ctx, stages)
	if err != nil {
		return nil, v.explain(ctx, err)
	}
	return snapshot, nil
}

// A visit is one call of Snapshot.
type visit struct {
	client *Client
	store  *store
	source Source
	commit string
	alone  error // why the cache has to do, or nil
}

// errOffline is the reason that a user gives.
var errOffline = errors.New("HF_HUB_OFFLINE is set")

func (v *visit) run(ctx context.Context, stages []Stage) (*Snapshot, error) {
	if v.client.Offline {
		v.alone = errOffline
	}
	if err := v.resolve(ctx); err != nil {
		return nil, err
	}
	files, err := v.list(ctx)
	if err != nil {
		return nil, err
	}
	snapshot := &Snapshot{Dir: v.store.snapshot(v.commit), Commit: v.commit}
	if files == nil {
		return snapshot, v.runUnlisted(snapshot.Dir, stages)
	}
	all := slices.Sorted(maps.Keys(files))
	for _, choose := range stages {
		paths, err := choose(snapshot.Dir, slices.Clone(all))
		if err != nil {
			return nil, &stageError{err}
		}
		missing, p, err := v.compare(files, paths)
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			continue
		}
		if v.alone != nil {
			return nil, v.lacks(fmt.Sprintf("%d of %d files, such as %s", len(missing), len(paths), missing[0].paths[0]))
		}
		if err := v.fetch(ctx, files, missing, p); err != nil {
			return nil, err
		}
		snapshot.Fetched += p.files
		snapshot.Bytes += p.bytes
	}
	if v.alone == nil {
		// For the next time; a cache that cannot be written is good enough for this.
		_ = v.store.setCommit(v.source.Revision, v.commit)
	}
	return snapshot, nil
}

// runUnlisted lets the stages choose from what the cache has.
func (v *visit) runUnlisted(dir string, stages []Stage) error {
	all, err := v.store.walk(v.commit)
	if err != nil {
		return v.lacks("the commit " + v.commit)
	}
	slices.Sort(all)
	for _, choose := range stages {
		if _, err := choose(dir, slices.Clone(all)); err != nil {
			return &stageError{fmt.Errorf("in the cache: %w", err)}
		}
	}
	v.client.note(fmt.Sprintf("the cache cannot tell whether it has all files of %s", v.source))
	return nil
}

// resolve finds the commit.
func (v *visit) resolve(ctx context.Context) error {
	if commitForm.MatchString(v.source.Revision) {
		v.commit = v.source.Revision
		return nil
	}
	known := v.store.commit(v.source.Revision)
	if v.alone == nil {
		var err error
		if v.commit, err = v.client.resolveRevision(ctx, v.source); err == nil {
			return nil
		}
		if !v.goAlone(ctx, err, known) {
			return err
		}
	}
	if v.commit = known; known == "" {
		return v.lacks(fmt.Sprintf("the revision %q", v.source.Revision))
	}
	return nil
}

// goAlone reports whether the cache has to do after an error, with this commit.
func (v *visit) goAlone(ctx context.Context, err error, commit string) bool {
	_, network := errors.AsType[*networkError](err)
	if ctx.Err() != nil || !network && !transient(err) || commit == "" {
		return false
	}
	v.alone = err
	v.client.note(fmt.Sprintf("%v; using the commit %s that the cache has of %s", err, commit, v.source))
	return true
}

// list returns the files of the commit, or nil where only the cache can tell
// which there are and it has no listing.
func (v *visit) list(ctx context.Context) (listing, error) {
	if files, ok := v.store.listing(v.commit); ok {
		return files, nil
	}
	if v.alone != nil {
		return nil, nil
	}
	files, err := v.client.fetchListing(ctx, v.source.Model, v.commit)
	if err == nil {
		return files, nil
	}
	if _, statErr := os.Stat(v.store.snapshot(v.commit)); statErr == nil && v.goAlone(ctx, err, v.commit) {
		return nil, nil
	}
	return nil, err
}

// compare returns what of the paths the snapshot lacks, in the order of the
// paths, and a progress that counts what it has.
func (v *visit) compare(files listing, paths []string) ([]content, *progress, error) {
	p := &progress{report: v.client.Progress}
	var missing []content
	at := map[string]int{} // place in missing, by hash
	for _, path := range paths {
		f, ok := files[path]
		if !ok {
			return nil, nil, fmt.Errorf("%s: there is no such file", path)
		}
		local, ok := localPath(path)
		if !ok {
			return nil, nil, fault.Malformed(path, "", "the name would lie outside of the model's folder on some systems")
		}
		if v.store.has(v.commit, local, f) {
			p.total += f.size
			p.done += f.size
			continue
		}
		if i, ok := at[f.hash()]; ok {
			if missing[i].size != f.size {
				return nil, nil, fault.Malformed(path, "", "it has %d bytes, and %s with the same hash has %d", f.size, missing[i].paths[0], missing[i].size)
			}
			missing[i].paths = append(missing[i].paths, path)
			continue
		}
		p.total += f.size
		at[f.hash()] = len(missing)
		missing = append(missing, content{f, []string{path}})
	}
	return missing, p, nil
}

// fetch brings what is missing into the cache.
func (v *visit) fetch(ctx context.Context, files listing, missing []content, p *progress) error {
	if err := v.checkSpace(missing); err != nil {
		return err
	}
	if err := v.store.setCommit(v.source.Revision, v.commit); err != nil {
		return err
	}
	if _, ok := v.store.listing(v.commit); !ok {
		if err := v.store.setListing(v.commit, files); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	parallel := v.client.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	g.SetLimit(parallel)
	for _, m := range missing {
		g.Go(func() error { return v.store.bring(ctx, v.source, v.commit, m, p) })
	}
	return g.Wait()
}

// checkSpace fails before anything is fetched where the disk clearly is too small.
func (v *visit) checkSpace(missing []content) error {
	if err := os.MkdirAll(v.store.dir, 0o777); err != nil {
		return v.store.failed(err)
	}
	free, known := atomicfile.FreeSpace(v.store.dir)
	var need uint64
	for _, m := range missing {
		size := m.size
		for _, name := range []string{v.store.blob(m.hash()), v.store.incomplete(m.hash(), true)} {
			if info, err := os.Stat(name); err == nil && info.Size() <= m.size {
				size = min(size, m.size-info.Size())
			}
		}
		need += uint64(size)
		if known && need > free {
			return fmt.Errorf("the files need %d bytes, and the disk of %s has %d left; free space there, or name a folder on another disk in HF_HUB_CACHE",
				need, v.client.Cache, free)
		}
	}
	return nil
}
