package sandbox

import (
	"cmp"
	"net/http"
	"slices"
)

// fieldView is what the API tells of a field.
type fieldView struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	MaxLength int      `json:"max_length"` // 0: no limit, or it has no length
	Required  bool     `json:"required"`   // of a new record
	Writable  bool     `json:"writable"`
	Unique    bool     `json:"unique"`
	Values    []string `json:"values"` // of an enum
	Custom    bool     `json:"custom"` // its values stand under "fields"
}

func (v fieldView) ident() string { return v.Name }

// objects are the kinds of records whose fields are told of, and can be added to.
var objects = map[string]func(*book) []fieldView{
	"call": func(b *book) []fieldView {
		return describe(callFields(b), fieldView{Name: "agent", Type: kindUser}, fieldView{Name: "revision", Type: kindInt})
	},
	"contact": func(b *book) []fieldView {
		return describe(contactFields(b), fieldView{Name: "external_key", Type: kindString, Unique: true},
			fieldView{Name: "last_activity_at", Type: kindTime}, fieldView{Name: "open_tickets", Type: kindInt}, fieldView{Name: "url", Type: kindString})
	},
	"ticket": func(b *book) []fieldView {
		return describe(ticketFields(b), fieldView{Name: "created_by", Type: kindUser})
	},
	"task": func(b *book) []fieldView {
		return describe(taskFields(b), fieldView{Name: "created_by", Type: kindUser})
	},
}

// describe tells of the writable fields, those read-only, and those that every record has, by name.
func describe[T any](writable fields[T], readOnly ...fieldView) []fieldView {
	out := append([]fieldView{}, readOnly...)
	out = append(out, fieldView{Name: "id", Type: kindString, Unique: true}, fieldView{Name: "version", Type: kindInt},
		fieldView{Name: "created_at", Type: kindTime}, fieldView{Name: "updated_at", Type: kindTime})
	for name, f := range writable {
		if f.kind != kindObject {
			out = append(out, fieldView{name, f.kind, f.length, f.required, true, f.unique, f.values, false})
		}
	}
	for i := range out {
		out[i].Values = append([]string{}, out[i].Values...) // [] rather than null
	}
	slices.SortFunc(out, byName)
	return out
}

func (s *Server) listFields(r *http.Request) (answer, error) {
	object := r.PathValue("object")
	of, known := objects[object]
	if !known {
		return answer{}, notFound("kind of record")
	}
	var out []fieldView
	s.store.read(func(b *book) {
		out = of(b)
		for _, f := range b.custom.where(func(f customField) bool { return f.Object == object }) {
			out = append(out, f.view())
		}
	})
	return paged(r, out, maxLimit)
}

func (f customField) view() fieldView {
	return fieldView{f.Name, f.Type, f.MaxLength, false, true, f.Unique, append([]string{}, f.Values...), true}
}

// postField adds a field to a kind of record.
func (s *Server) postField(r *http.Request) (answer, error) {
	raw, err := readBody(r)
	if err != nil {
		return answer{}, err
	}
	f := customField{MaxLength: maxLine}
	if err := strictly(raw, &f); err != nil {
		return answer{}, &problem{Status: http.StatusBadRequest, Code: "bad_json", Message: "the body must be {name, type, max_length, unique, values}"}
	}
	if f.Object = r.PathValue("object"); objects[f.Object] == nil {
		return answer{}, notFound("kind of record")
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	err = s.store.change(func(b *book) error {
		mine := b.custom.where(func(old customField) bool { return old.Object == f.Object })
		taken := slices.ContainsFunc(objects[f.Object](b), func(v fieldView) bool { return v.Name == f.Name })
		if _, again := b.custom.get(f.ident()); again || taken {
			return &problem{Status: http.StatusConflict, Code: "duplicate", Message: "there is a field with this name", Field: "name", ID: f.Name}
		}
		if len(mine) >= maxCustom {
			return invalid("name", "there are as many fields as there can be")
		}
		put(b, &b.custom, f)
		return nil
	})
	return created(f.view()), err
}

func byName(a, b fieldView) int { return cmp.Compare(a.Name, b.Name) }
