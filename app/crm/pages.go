package crm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"
)

// How a CRM cuts a long list.
const (
	byCursor = "cursor" // the answer names where the next page begins
	byToken  = "token"  // the same under another name
	byOffset = "offset" // so many items are skipped
	byNumber = "page"   // pages are numbered
	byLink   = "link"   // the answer names the next page's address, by itself in the header Link (RFC 8288)
)

var pageTypes = []string{byCursor, byToken, byOffset, byNumber, byLink}

const (
	defaultPageSize = 100
	defaultPages    = 10
	mostPages       = 100
)

// pages is how a step reads a list, compiled.
type pages struct {
	by               string
	param, sizeParam string
	size, start, max int
	next             *template
}

var pageScope = types.Map{"cursor": types.Any, "offset": types.Int, "number": types.Int, "size": types.Int}

// all reads page after page. Where the CRM says that there is more than max pages, what was read counts: a list for people is long enough then.
func (p *pages) all(ctx context.Context, r *run, s *step) error {
	at := vars{"cursor": nil, "offset": 0, "number": p.start, "size": p.size}
	address := ""
	for range p.max {
		r.v["page"] = at
		before := len(r.items)
		if err := r.once(ctx, s, address); err != nil {
			return err
		}
		got := r.got
		at = vars{"cursor": nil, "offset": textInt(at["offset"]) + got, "number": textInt(at["number"]) + 1, "size": p.size}
		switch p.by {
		case byOffset, byNumber:
			if got < p.size || len(r.items) == before {
				return nil
			}
		case byLink:
			next, err := p.nextAddress(r)
			if err != nil || next == "" || next == address {
				return err
			}
			address = next
		default:
			value, err := p.next.value(r.v)
			if err != nil {
				return r.unfit(err)
			}
			if strings.TrimSpace(given(value)) == "" {
				return nil
			}
			at["cursor"] = value
		}
	}
	r.e.log.Warn("a list was longer than max_pages", "connector", r.e.Name(), "operation", r.op.name, "step", s.id)
	return nil
}

func textInt(v any) int {
	n, _ := v.(int)
	return n
}

// nextAddress gives the address of the next page, absolute; "" after the last.
func (p *pages) nextAddress(r *run) (string, error) {
	text := ""
	if p.next != nil {
		value, err := p.next.value(r.v)
		if err != nil {
			return "", r.unfit(err)
		}
		text = strings.TrimSpace(given(value))
	} else if r.last != nil {
		text = linkNext(r.last.header)
	}
	if text == "" {
		return "", nil
	}
	base, err := url.Parse(r.address)
	if err != nil {
		return "", r.unfit(err)
	}
	next, err := base.Parse(text)
	if err != nil {
		return "", r.unfit(fmt.Errorf("the next page's address is malformed"))
	}
	return next.String(), nil
}

// linkNext gives the target of rel="next" in the header Link.
func linkNext(h http.Header) string {
	for _, line := range h.Values("Link") {
		for _, one := range strings.Split(line, ",") {
			target, params, _ := strings.Cut(one, ";")
			target = strings.TrimSpace(target)
			rel := strings.ToLower(strings.ReplaceAll(params, " ", ""))
			if strings.HasPrefix(target, "<") && strings.HasSuffix(target, ">") && (strings.Contains(rel, `rel="next"`) || strings.Contains(rel, "rel=next")) {
				return target[1 : len(target)-1]
			}
		}
	}
	return ""
}

// params are what the page adds to the query by itself.
func (p *pages) query(v vars) map[string]string {
	out := map[string]string{}
	at, _ := v["page"].(vars)
	if p.sizeParam != "" {
		out[p.sizeParam] = textOf(p.size)
	}
	if p.param != "" {
		switch p.by {
		case byOffset:
			out[p.param] = textOf(at["offset"])
		case byNumber:
			out[p.param] = textOf(at["number"])
		case byCursor, byToken:
			out[p.param] = given(at["cursor"])
		}
	}
	return out
}

func (l *loader) pages(place []string, spec *stepSpec, names scope) *pages {
	declared := spec.Paginate
	if declared == nil {
		return nil
	}
	where := func(key string) position { return find(l.root, slices.Concat(place, []string{"paginate", key})...) }
	p := &pages{by: declared.Type, param: declared.Param, sizeParam: declared.SizeParam, size: declared.Size, start: 1, max: declared.MaxPages}
	if !slices.Contains(pageTypes, p.by) {
		l.add(where("type"), words("unknown kind of pages %q", "未知的分页方式 %q", p.by), oneOf(p.by, pageTypes))
	}
	if p.size == 0 {
		p.size = defaultPageSize
	}
	if p.max == 0 {
		p.max = defaultPages
	}
	if declared.Start != nil {
		p.start = *declared.Start
	}
	if p.size < 1 || p.size > maxItems || p.max < 1 || p.max > mostPages {
		l.add(where("size"), words("size is not between 1 and %d, or max_pages not between 1 and %d", "size 不在 1 到 %d 之间，或 max_pages 不在 1 到 %d 之间", maxItems, mostPages),
			words("Write size: 100, max_pages: 10.", "请写 size: 100, max_pages: 10。"))
	}
	if spec.Items.IsZero() {
		l.add(where(""), words("a step that reads pages has no items", "分页步骤没有 items"), words(`Write items: "${res.json.items}".`, `请写 items: "${res.json.items}"。`))
	}
	p.next = l.scalar(&declared.Next, with(names, scope{"res": resScope}))
	if (p.by == byCursor || p.by == byToken) && p.next == nil {
		l.add(where("next"), words("pages by %s need next", "按 %s 分页需要 next", p.by), words(`Write next: "${res.json.next}".`, `请写 next: "${res.json.next}"。`))
	}
	return p
}
