package keyed

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"reprise/endpoint/internal/aws"
)

// item is a row or a gate as DynamoDB has it. What is not known here stays as it is.
type item map[string]json.RawMessage

func text(value string) json.RawMessage  { return attribute("S", value) }
func number(value int64) json.RawMessage { return attribute("N", strconv.FormatInt(value, 10)) }
func boolean(value bool) json.RawMessage { return attribute("BOOL", value) }
func attribute(kind string, value any) json.RawMessage {
	made, err := json.Marshal(map[string]any{kind: value})
	if err != nil {
		panic(err)
	}
	return made
}

func (i item) text(name string) string {
	var found struct{ S string }
	json.Unmarshal(i[name], &found)
	return found.S
}

func (i item) number(name string) int64 {
	var found struct{ N string }
	json.Unmarshal(i[name], &found)
	value, err := strconv.ParseFloat(found.N, 64)
	if err != nil {
		return 0 // As the attribute's default is.
	}
	return int64(value)
}

func (i item) bool(name string) bool {
	var found struct{ BOOL bool }
	json.Unmarshal(i[name], &found)
	return found.BOOL
}

// originalSHA256 is the digest of the payload that was captured, whatever an operator has replaced it by.
func (i item) originalSHA256() string {
	if captured := i.text("captured_sha256"); captured != "" {
		return captured
	}
	return i.text("sha256")
}

func keyOf(id string) item { return item{"id": text(id)} }

const failedCondition = "ConditionalCheckFailedException"

// table is the ledger's, which holds the gates, too.
type table struct {
	client *aws.Client
	name   string
}

// get returns an item as it is now; nil if there is none.
func (t table) get(ctx context.Context, id string) (item, error) {
	var answer struct{ Item item }
	request := map[string]any{"TableName": t.name, "Key": keyOf(id), "ConsistentRead": true}
	err := t.client.Call(ctx, aws.DynamoDB, "GetItem", request, &answer)
	return answer.Item, err
}

// change is one conditional write.
type change struct {
	operation string
	fields    map[string]any
	condition string
	names     map[string]string
	values    item
}

// apply makes a change; if its condition fails it returns false, and the item that stood in the way, if any.
func (t table) apply(ctx context.Context, made change) (bool, item, error) {
	request := map[string]any{
		"TableName": t.name, "ConditionExpression": made.condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
	}
	if len(made.names) > 0 {
		request["ExpressionAttributeNames"] = made.names
	}
	if len(made.values) > 0 {
		request["ExpressionAttributeValues"] = made.values
	}
	for name, value := range made.fields {
		request[name] = value
	}
	err := t.client.Call(ctx, aws.DynamoDB, made.operation, request, nil)
	var refused *aws.Error
	if errors.As(err, &refused) && refused.Code == failedCondition {
		var found item
		if len(refused.Item) > 0 {
			json.Unmarshal(refused.Item, &found)
		}
		return false, found, nil
	}
	return err == nil, nil, err
}
