// An existing function that calls another one. Nothing in it knows of Reprise; @aws-sdk/client-lambda comes with Lambda's Node.js.
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const lambda = new LambdaClient({});

export const handler = async (event) => {
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName: process.env.ORDERS, Payload: JSON.stringify(event) }),
  );
  const reply = JSON.parse(Buffer.from(answer.Payload).toString());
  // A kept call looks like a function that failed: errorType "Reprise.Captured", and its id. Whoever wants to may tell it apart.
  if (answer.FunctionError === "Captured") return { accepted: reply.reprise.id };
  if (answer.FunctionError) throw new Error(reply.errorMessage);
  return reply;
};
